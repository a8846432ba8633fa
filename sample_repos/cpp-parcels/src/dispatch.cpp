#include "parcels/dispatch.hpp"

#include "parcels/error.hpp"

namespace parcels {
namespace {

// Quiet spans may adjoin, so that the end of one lies in the next. A calendar that defers a message
// more often than this covers the whole day.
constexpr int kMostDeferrals = 3;

}  // namespace

Moment Dispatcher::allowed_from(Moment moment, const std::string& address) const {
  Moment candidate = moment;
  for (int deferrals = 0;; ++deferrals) {
    const std::optional<Moment> later = calendar_.quiet_until(candidate);
    if (!later) return candidate;
    if (deferrals == kMostDeferrals) break;
    candidate = *later;
  }
  throw DispatchError("gave up on the message to " + address + " of " + moment.text() + ": deferred " +
                      std::to_string(kMostDeferrals) + " times, and " + candidate.text() +
                      " is still not allowed");
}

std::vector<Message> Dispatcher::messages(const Scan& scan) const {
  std::vector<Message> messages;
  for (const Subscription& subscription : subscriptions_) {
    if (subscription.kinds.count(scan.event.kind) == 0) continue;
    messages.push_back({subscription.address, allowed_from(scan.event.at, subscription.address),
                        scan.number + ": " + scan.event.text()});
  }
  return messages;
}

}  // namespace parcels
