#include "models/templates/date.hpp"

#include <array>
#include <charconv>

#include "models/templates/budget.hpp"

namespace slipstream::jinja {
namespace {

constexpr std::array months{"January", "February", "March",     "April",   "May",      "June",
                            "July",    "August",   "September", "October", "November", "December"};
constexpr std::array days{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

struct moment_parts {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  bool leap() const { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }
  int length() const {
    constexpr std::array lengths{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return lengths.at(static_cast<std::size_t>(month - 1)) + (month == 2 && leap() ? 1 : 0);
  }
  int day_of_year() const {
    int made = day;
    for (moment_parts each{year, 1, 1}; each.month < month; ++each.month) made += each.length();
    return made;
  }
  int weekday() const {  // 0 is Sunday
    const int before = year - 1;
    return (before * 365 + before / 4 - before / 100 + before / 400 + day_of_year()) % 7;
  }
};

moment_parts read(std::string_view moment) {
  moment_parts made;
  const auto part = [&](std::size_t from, std::size_t size, int least, int most) {
    int number = -1;
    const char *begin = moment.data() + from, *end = begin + size;
    if (moment.size() != 19 || std::from_chars(begin, end, number).ptr != end || number < least ||
        number > most)
      throw complaint("the moment \"" + std::string(moment) + "\" is not of the form 2026-11-30 14:05:09");
    return number;
  };
  made.year = part(0, 4, 1, 9999);
  made.month = part(5, 2, 1, 12);
  made.day = part(8, 2, 1, made.length());
  made.hour = part(11, 2, 0, 23);
  made.minute = part(14, 2, 0, 59);
  made.second = part(17, 2, 0, 59);
  return made;
}

std::string padded(int number, std::size_t width, char fill = '0') {
  std::string made = std::to_string(number);
  if (made.size() < width) made.insert(0, width - made.size(), fill);
  return made;
}

std::string one(char code, bool bare, const moment_parts &at) {
  const int hour = at.hour % 12 == 0 ? 12 : at.hour % 12;
  const std::size_t two = bare ? 1 : 2;
  const auto day = static_cast<std::size_t>(at.weekday()), month = static_cast<std::size_t>(at.month - 1);
  switch (code) {
    case 'd':
      return padded(at.day, two);
    case 'e':
      return padded(at.day, two, ' ');
    case 'm':
      return padded(at.month, two);
    case 'y':
      return padded(at.year % 100, two);
    case 'Y':
      return std::to_string(at.year);
    case 'H':
      return padded(at.hour, two);
    case 'I':
      return padded(hour, two);
    case 'M':
      return padded(at.minute, two);
    case 'S':
      return padded(at.second, two);
    case 'j':
      return padded(at.day_of_year(), bare ? 1 : 3);
    case 'w':
      return std::to_string(at.weekday());
    case 'p':
      return at.hour < 12 ? "AM" : "PM";
    case 'a':
      return std::string(days.at(day)).substr(0, 3);
    case 'A':
      return days.at(day);
    case 'b':
    case 'h':
      return std::string(months.at(month)).substr(0, 3);
    case 'B':
      return months.at(month);
    case 'F':
      return std::to_string(at.year) + "-" + padded(at.month, 2) + "-" + padded(at.day, 2);
    case 'T':
      return padded(at.hour, 2) + ":" + padded(at.minute, 2) + ":" + padded(at.second, 2);
    case 'R':
      return padded(at.hour, 2) + ":" + padded(at.minute, 2);
    case 'D':
      return padded(at.month, 2) + "/" + padded(at.day, 2) + "/" + padded(at.year % 100, 2);
    case '%':
      return "%";
    case 'n':
      return "\n";
    case 't':
      return "\t";
    default:
      throw complaint(std::string("strftime_now: the code %") + code + " is not supported");
  }
}

}  // namespace

std::string formatted_date(std::string_view format, std::string_view moment) {
  const moment_parts at = read(moment);
  std::string made;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      made += format[i];
      continue;
    }
    const bool bare = i + 1 < format.size() && format[i + 1] == '-';  // %-d: without a zero before it
    i += bare ? 2 : 1;
    if (i >= format.size()) throw complaint("strftime_now: the format ends in a %");
    made += one(format[i], bare, at);
  }
  return made;
}

}  // namespace slipstream::jinja
