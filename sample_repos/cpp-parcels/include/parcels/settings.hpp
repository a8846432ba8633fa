// What did the operator decide?
#pragma once

#include <istream>
#include <vector>

#include "parcels/calendar.hpp"
#include "parcels/dispatch.hpp"

namespace parcels {

struct Settings {
  QuietCalendar calendar;
  std::vector<Subscription> subscriptions;

  /// Reads lines like `quiet 21:30 07:00` and `subscriber a@example.org DELIVERED RETURNED`.
  /// Throws BadLine.
  static Settings read(std::istream& source);
};

}  // namespace parcels
