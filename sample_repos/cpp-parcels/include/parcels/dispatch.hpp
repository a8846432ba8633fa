// Who is told about an event, and when?
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "parcels/calendar.hpp"
#include "parcels/parcel.hpp"

namespace parcels {

/// An address that wants to hear of some kinds of events.
struct Subscription {
  std::string address;
  std::set<EventKind> kinds;
};

/// What is sent, to whom, and when.
struct Message {
  std::string address;
  Moment send_at;
  std::string text;
};

/// Schedules the messages that scans cause.
class Dispatcher {
 public:
  Dispatcher(std::vector<Subscription> subscriptions, QuietCalendar calendar)
      : subscriptions_(std::move(subscriptions)), calendar_(std::move(calendar)) {}

  /// The messages of one scan, in the order of the subscriptions. Throws DispatchError where the
  /// calendar leaves no time to send them.
  std::vector<Message> messages(const Scan& scan) const;

 private:
  Moment allowed_from(Moment moment, const std::string& address) const;

  std::vector<Subscription> subscriptions_;
  QuietCalendar calendar_;
};

}  // namespace parcels
