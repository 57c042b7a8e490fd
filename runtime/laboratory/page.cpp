#include "runtime/laboratory/page.hpp"

#include <fmt/format.h>

#include "models/files/json.hpp"

namespace slipstream {
namespace {

constexpr std::string_view style = R"(
body { font: 15px/1.5 sans-serif; color: #222; max-width: 960px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin: 2em 0 .3em; }
pre { background: #f4f4f4; padding: .7em 1em; white-space: pre-wrap; }
.note { background: #fff3d6; padding: .5em 1em; margin: .5em 0; }
.caption { color: #555; margin: .2em 0 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92em; }
th, td { padding: .25em .8em; border-bottom: 1px solid #e2e2e2; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
td small { color: #666; }
svg { width: 100%; height: auto; }
.tabs > input { position: absolute; opacity: 0; }
.tabs > label { display: inline-block; padding: .2em .8em; border-bottom: 2px solid transparent; cursor: pointer; }
.tabs > input:checked + label { border-color: #0072B2; font-weight: bold; }
.tabs > input:focus-visible + label { outline: 1px solid #0072B2; }
.tabs > figure { display: none; margin: 0; } .plain { margin: 0; }
)";

std::string escaped(const std::string &text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

// Differences, in brackets, are set small.
std::string table_html(const comparison &compared) {
  std::string html = "<div class=\"wide\"><table>\n", tag = "th";
  for (const auto &line : table_cells(compared)) {
    html += "<tr>";
    for (std::size_t i = 0; i < line.size(); ++i) {
      auto text = escaped(line[i]);
      const auto bracket = i == 0 || tag == "th" ? std::string::npos : text.find(" (");
      if (bracket != std::string::npos)
        text = text.substr(0, bracket) + "<small>" + text.substr(bracket) + "</small>";
      html += fmt::format("<{}>{}</{}>", tag, text, tag);
    }
    html += "</tr>\n";
    tag = "td";
  }
  return html + "</table></div>\n";
}

// Without the XML declaration, which has no place inside of a page.
std::string picture(const std::filesystem::path &file) {
  const auto text = read_text(file);
  const auto start = text.find("<svg");
  return start == std::string::npos ? "" : text.substr(start);
}

std::string tabs_html(const std::vector<const plot *> &shown, const std::filesystem::path &pictures) {
  std::string inputs, figures, rules;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const auto id = "tab-" + shown[i]->name;
    inputs += fmt::format("<input type=\"radio\" name=\"tab-{}\" id=\"{}\"{}><label for=\"{}\">{}</label>\n",
                          shown.front()->name, id, i == 0 ? " checked" : "", id, escaped(shown[i]->tab));
    figures += fmt::format("<figure class=\"of-{}\">{}</figure>\n", id,
                           picture(pictures / (shown[i]->name + ".svg")));
    rules += fmt::format("#{}:checked ~ .of-{} {{ display: block; }}\n", id, id);
  }
  return "<style>" + rules + "</style><div class=\"tabs\">" + inputs + figures + "</div>\n";
}

std::string plots_html(const std::vector<plot> &plots, const std::filesystem::path &pictures) {
  std::string html;
  for (std::size_t i = 0; i < plots.size();) {
    std::vector<const plot *> shown;
    const auto &first = plots[i];
    for (; i < plots.size() && plots[i].title == first.title; ++i)
      if (std::filesystem::exists(pictures / (plots[i].name + ".svg"))) shown.push_back(&plots[i]);
    if (shown.empty()) continue;
    html += fmt::format("<h2>{}</h2>\n<p class=\"caption\">{}</p>\n", escaped(first.title),
                        escaped(first.caption));
    html += first.tab.empty() ? fmt::format("<figure class=\"plain\">{}</figure>\n",
                                            picture(pictures / (shown.front()->name + ".svg")))
                              : tabs_html(shown, pictures);
  }
  return html;
}

}  // namespace

std::string page_html(const page_head &head, const comparison &compared, const std::vector<plot> &plots,
                      const std::filesystem::path &pictures) {
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title>\n<style>{}</style>"
      "</head><body>\n<h1>{}</h1>\n<pre>{}</pre>\n",
      escaped(head.title), style, escaped(head.title), escaped(head.command));
  for (const auto &note : head.notes) html += fmt::format("<p class=\"note\">{}</p>\n", escaped(note));
  html += plots_html(plots, pictures);
  html +=
      "<h2>All figures</h2>\n<p class=\"caption\">Means over seeds ± half of the 95 % confidence interval "
      "(Student's t); in brackets the difference to the first arm, paired by seed.</p>\n" +
      table_html(compared) + "</body></html>\n";
  return html;
}

}  // namespace slipstream
