// Which parcel is it, and what happened to it?
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parcels/moment.hpp"

namespace parcels {

/// The stages of a parcel's journey, in the order in which they usually happen.
enum class EventKind { accepted, departed, arrived, customs, out_for_delivery, delivered, returned };

/// Reads the name that hubs use, like `OUT_FOR_DELIVERY`; none if there is no such event.
std::optional<EventKind> parse_event_kind(std::string_view name);

/// One scan.
struct Event {
  Moment at;
  EventKind kind;
  std::string hub;
  std::string note;

  /// One line for people.
  std::string text() const;

  friend bool operator==(const Event& a, const Event& b) {
    return a.at == b.at && a.kind == b.kind && a.hub == b.hub;
  }
};

/// A parcel and everything that is known to have happened to it.
class Parcel {
 public:
  /// Inserts a scan behind all that are not later; false if it is known already.
  bool record(Event event);

  /// All scans by time.
  const std::vector<Event>& events() const { return events_; }

  /// Whether the journey has ended.
  bool finished() const;

 private:
  std::vector<Event> events_;
};

/// One line of the feed.
struct Scan {
  std::string number;
  Event event;
};

/// The parcels of this process, by number.
class Store {
 public:
  /// The parcel of that number. Throws UnknownName.
  const Parcel& get(const std::string& number) const;

  /// Records a scan, creating the parcel on its first one; false if the scan is known already.
  bool ingest(const Scan& scan);

 private:
  std::map<std::string, Parcel> parcels_;
};

}  // namespace parcels
