#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "runtime/laboratory/statistics.hpp"

namespace slipstream {

/// A plot under way: rows of figures, and the lines of a gnuplot script. Files are written by store().
class plot_file {
 public:
  /// `width`, `height` in pixels.
  plot_file(std::string name, int width = 900, int height = 480);

  void comment(const std::string &text) { data_ += "# " + text + "\n"; }  ///< names the columns
  void row(const std::vector<std::string> &cells);                        ///< tab-separated
  void next_block() {
    data_ += "\n\n";
    ++blocks_;
  }  ///< gnuplot's `index`
  int blocks() const { return blocks_; }

  void script(const std::string &line) { script_ += line + "\n"; }
  void axes(const std::string &x, const std::string &y);
  const std::string &name() const { return name_; }
  std::string data_name() const { return quoted(name_ + ".tsv"); }

  void store(const std::filesystem::path &folder) const;

  static std::string quoted(const std::string &text);  ///< as gnuplot reads it
  static std::string colour(std::size_t arm);  ///< of a line or bar: "lc rgb '#…'", dashed from 9 on
  static std::string number(double value);     ///< "nan" for what is missing
  static std::vector<std::string> cells(const estimate &value);  ///< mean, low, high

 private:
  std::string name_, data_, script_;
  int blocks_ = 0;
};

}  // namespace slipstream
