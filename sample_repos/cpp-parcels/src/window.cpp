#include "parcels/window.hpp"

namespace parcels {

bool DayWindow::contains(TimeOfDay time) const {
  if (start_ <= end_) return start_ <= time && time < end_;
  return start_ <= time || time <= end_;
}

}  // namespace parcels
