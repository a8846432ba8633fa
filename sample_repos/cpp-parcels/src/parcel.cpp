#include "parcels/parcel.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "parcels/error.hpp"

namespace parcels {
namespace {

struct KindName {
  EventKind kind;
  std::string_view feed;
  std::string_view people;
};

constexpr std::array<KindName, 7> kKindNames{{
    {EventKind::accepted, "ACCEPTED", "accepted"},
    {EventKind::departed, "DEPARTED", "departed"},
    {EventKind::arrived, "ARRIVED", "arrived"},
    {EventKind::customs, "CUSTOMS", "customs"},
    {EventKind::out_for_delivery, "OUT_FOR_DELIVERY", "out for delivery"},
    {EventKind::delivered, "DELIVERED", "delivered"},
    {EventKind::returned, "RETURNED", "returned"},
}};

}  // namespace

std::optional<EventKind> parse_event_kind(std::string_view name) {
  const auto found = std::find_if(kKindNames.begin(), kKindNames.end(),
                                  [name](const KindName& entry) { return entry.feed == name; });
  if (found == kKindNames.end()) return std::nullopt;
  return found->kind;
}

std::string Event::text() const {
  std::string line = at.text() + "  " + hub + "  ";
  line += kKindNames[static_cast<std::size_t>(kind)].people;
  return note.empty() ? line : line + " (" + note + ")";
}

bool Parcel::record(Event event) {
  if (std::find(events_.begin(), events_.end(), event) != events_.end()) return false;
  const auto place =
      std::upper_bound(events_.begin(), events_.end(), event,
                       [](const Event& a, const Event& b) { return a.at < b.at; });
  events_.insert(place, std::move(event));
  return true;
}

bool Parcel::finished() const {
  if (events_.empty()) return false;
  const EventKind last = events_.back().kind;
  return last == EventKind::delivered || last == EventKind::returned;
}

const Parcel& Store::get(const std::string& number) const {
  const auto found = parcels_.find(number);
  if (found == parcels_.end()) throw UnknownName("parcel", number);
  return found->second;
}

bool Store::ingest(const Scan& scan) { return parcels_[scan.number].record(scan.event); }

}  // namespace parcels
