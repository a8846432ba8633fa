#include "parcels/calendar.hpp"

#include <algorithm>

namespace parcels {

std::optional<Moment> QuietCalendar::quiet_until(Moment moment) const {
  const TimeOfDay time = moment.time_of_day();
  const auto window =
      std::find_if(windows_.begin(), windows_.end(),
                   [time](const DayWindow& candidate) { return candidate.contains(time); });
  if (window == windows_.end()) return std::nullopt;
  return moment.next(window->end());
}

}  // namespace parcels
