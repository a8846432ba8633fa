#include "parcels/moment.hpp"

#include <cstdio>

#include "parcels/error.hpp"

namespace parcels {
namespace {

constexpr long kMinutesPerDay = 24 * 60;

struct Date {
  long year;
  int month;
  int day;
};

// Howard Hinnant's days_from_civil, for dates since 1970.
long days_from_civil(Date date) {
  const long year = date.month <= 2 ? date.year - 1 : date.year;
  const long era = year / 400;
  const long year_of_era = year - era * 400;
  const long day_of_year = (153 * ((date.month + 9) % 12) + 2) / 5 + date.day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

Date civil_from_days(long days) {
  days += 719468;
  const long era = days / 146097;
  const long doe = days - era * 146097;
  const long year_of_era = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const long day_of_year = doe - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int shifted_month = static_cast<int>((5 * day_of_year + 2) / 153);
  const int month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  const int day = static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

bool is_time(int hour, int minute) {
  return 0 <= hour && hour < 24 && 0 <= minute && minute < 60;
}

}  // namespace

TimeOfDay TimeOfDay::parse(std::string_view text) {
  int hour = 0, minute = 0, used = 0;
  const std::string copy(text);
  if (std::sscanf(copy.c_str(), "%2d:%2d%n", &hour, &minute, &used) != 2 ||
      used != static_cast<int>(copy.size()) || !is_time(hour, minute)) {
    throw Error(copy + " is not a time of day like 21:30");
  }
  return {hour, minute};
}

std::string TimeOfDay::text() const {
  char buffer[16];
  std::snprintf(buffer, sizeof buffer, "%02d:%02d", minute_ / 60, minute_ % 60);
  return buffer;
}

Moment Moment::parse(std::string_view text) {
  Date date{};
  int hour = 0, minute = 0, used = 0;
  const std::string copy(text);
  const int found = std::sscanf(copy.c_str(), "%4ld-%2d-%2dT%2d:%2d%n", &date.year, &date.month,
                                &date.day, &hour, &minute, &used);
  if (found != 5 || copy.back() != 'Z' || date.year < 1970 || date.month < 1 || date.month > 12 ||
      date.day < 1 || date.day > 31 || !is_time(hour, minute)) {
    throw Error(copy + " is not a time in UTC like 2024-03-05T08:15Z");
  }
  return Moment(days_from_civil(date) * kMinutesPerDay + hour * 60 + minute);
}

TimeOfDay Moment::time_of_day() const {
  return {0, static_cast<int>(minutes_ % kMinutesPerDay)};
}

Moment Moment::next(TimeOfDay time) const {
  const long same_day = minutes_ - minutes_ % kMinutesPerDay + time.minute();
  return Moment(same_day > minutes_ ? same_day : same_day + kMinutesPerDay);
}

std::string Moment::text() const {
  const Date date = civil_from_days(minutes_ / kMinutesPerDay);
  char buffer[48];
  std::snprintf(buffer, sizeof buffer, "%04ld-%02d-%02d ", date.year, date.month, date.day);
  return buffer + time_of_day().text();
}

}  // namespace parcels
