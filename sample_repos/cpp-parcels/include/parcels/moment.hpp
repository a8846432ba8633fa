// When did it happen? Minutes since 1970, in UTC: all that tracking needs of a calendar.
#pragma once

#include <string>
#include <string_view>

namespace parcels {

/// A minute of the day, from 0 to 1439.
class TimeOfDay {
 public:
  constexpr TimeOfDay(int hour, int minute) : minute_(hour * 60 + minute) {}

  /// Reads `21:30`. Throws Error.
  static TimeOfDay parse(std::string_view text);

  constexpr int minute() const { return minute_; }
  std::string text() const;

  friend constexpr bool operator<(TimeOfDay a, TimeOfDay b) { return a.minute_ < b.minute_; }
  friend constexpr bool operator<=(TimeOfDay a, TimeOfDay b) { return a.minute_ <= b.minute_; }
  friend constexpr bool operator==(TimeOfDay a, TimeOfDay b) { return a.minute_ == b.minute_; }

 private:
  int minute_;
};

/// A moment, to the minute.
class Moment {
 public:
  /// Reads `2024-03-05T08:15Z`; seconds may follow the minutes and are dropped. Throws Error.
  static Moment parse(std::string_view text);

  TimeOfDay time_of_day() const;

  /// The first moment after this one that has that time of day.
  Moment next(TimeOfDay time) const;

  std::string text() const;

  friend bool operator<(Moment a, Moment b) { return a.minutes_ < b.minutes_; }
  friend bool operator==(Moment a, Moment b) { return a.minutes_ == b.minutes_; }

 private:
  explicit Moment(long minutes) : minutes_(minutes) {}

  long minutes_;
};

}  // namespace parcels
