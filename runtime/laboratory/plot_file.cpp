#include "runtime/laboratory/plot_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "runtime/run_folder/write.hpp"

namespace slipstream {

plot_file::plot_file(std::string name, int width, int height) : name_(std::move(name)) {
  std::string id = name_;  // of the parts of the picture, which share a page with other pictures
  std::replace(id.begin(), id.end(), '-', '_');
  script(fmt::format("# gnuplot {}.gp draws {}.svg from {}.tsv", name_, name_, name_));
  script(
      fmt::format("set terminal svg size {},{} dynamic noenhanced background '#ffffff' font 'sans-serif,14' "
                  "name {}",
                  width, height, quoted(id)));
  script(fmt::format("set output {}", quoted(name_ + ".svg")));
  script("set datafile separator tab");
  script("set border 3 lc rgb '#555555'");
  script("set tics nomirror textcolor rgb '#333333'");
  script("set grid ytics lc rgb '#dddddd' lw 1");
  script("set key outside top left horizontal reverse Left samplen 2 textcolor rgb '#222222'");
}

void plot_file::row(const std::vector<std::string> &cells) {
  data_ += fmt::format("{}\n", fmt::join(cells, "\t"));
}

void plot_file::axes(const std::string &x, const std::string &y) {
  script("set xlabel " + quoted(x));
  script("set ylabel " + quoted(y));
}

void plot_file::store(const std::filesystem::path &folder) const {
  write_aside(folder / (name_ + ".tsv"), data_);
  write_aside(folder / (name_ + ".gp"), script_);
}

std::string plot_file::quoted(const std::string &text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("''") : std::string(1, c);
  return result + "'";
}

// Colours that people with the usual colour blindnesses tell apart (Okabe and Ito).
std::string plot_file::colour(std::size_t arm) {
  static constexpr std::array colours{"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                      "#E69F00", "#56B4E9", "#000000", "#888888"};
  return fmt::format("lc rgb '{}' dt {}", colours[arm % colours.size()], 1 + arm / colours.size());
}

std::string plot_file::number(double value) {
  return std::isfinite(value) ? fmt::format("{:.9g}", value) : "nan";
}

std::vector<std::string> plot_file::cells(const estimate &value) {
  return {number(value.mean), number(value.low), number(value.high)};
}

}  // namespace slipstream
