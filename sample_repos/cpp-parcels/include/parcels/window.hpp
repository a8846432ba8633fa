// Does a time of day fall into a daily span?
#pragma once

#include "parcels/moment.hpp"

namespace parcels {

/// A span of every day, from `start` up to but without `end`; it may run past midnight.
class DayWindow {
 public:
  constexpr DayWindow(TimeOfDay start, TimeOfDay end) : start_(start), end_(end) {}

  constexpr TimeOfDay start() const { return start_; }
  constexpr TimeOfDay end() const { return end_; }

  bool contains(TimeOfDay time) const;

 private:
  TimeOfDay start_;
  TimeOfDay end_;
};

}  // namespace parcels
