// When may subscribers be disturbed?
#pragma once

#include <optional>
#include <vector>

#include "parcels/window.hpp"

namespace parcels {

/// The quiet spans of every day.
class QuietCalendar {
 public:
  void add(DayWindow window) { windows_.push_back(window); }

  /// The end of the quiet span that a moment falls into; none where messages are allowed.
  std::optional<Moment> quiet_until(Moment moment) const;

 private:
  std::vector<DayWindow> windows_;
};

}  // namespace parcels
