#include "check.hpp"
#include "parcels/error.hpp"
#include "parcels/feed.hpp"
#include "parcels/settings.hpp"

namespace {

using namespace parcels;

std::vector<Scan> feed(const std::string& text) {
  std::istringstream lines(text);
  return read_feed(lines);
}

const Register moments("moments know their calendar", [] {
  const Moment moment = Moment::parse("2024-02-29T22:05:59Z");
  check_equal("2024-02-29 22:05", moment.text());
  check_equal("2024-03-01 07:00", moment.next(TimeOfDay(7, 0)).text());
  check_equal("2024-02-29 23:00", moment.next(TimeOfDay(23, 0)).text());
  check_equal("1970-01-01 00:00", Moment::parse("1970-01-01T00:00Z").text());
  check_throws<Error>("24:00 is not a time of day like 21:30", [] { TimeOfDay::parse("24:00"); });
});

const Register escapes("escapes are resolved", [] {
  const std::vector<std::string> fields = split_fields("a\\|b | c\\\\|");
  check_equal(3u, fields.size());
  check_equal("a|b", fields[0]);
  check_equal("c\\", fields[1]);
});

const Register bad_lines("a line that is no scan is named", [] {
  check_throws<BadLine>("line 2: expected 4 or 5 fields, found 2", [] { feed("#\na|b\n"); });
  check_throws<BadLine>("line 1: EATEN is not an event", [] { feed("2024-03-05T08:00Z|PX1|EATEN|HAM\n"); });
});

const Register order("late scans are sorted in, and repeated ones are not news", [] {
  Store store;
  for (const Scan& scan : feed("2024-03-05T12:00Z|PX1|DELIVERED|HAM\n2024-03-05T08:00Z|PX1|ACCEPTED|HAM\n")) {
    check_equal(true, store.ingest(scan));
    check_equal(false, store.ingest(scan));
  }
  check_equal("2024-03-05 08:00  HAM  accepted", store.get("PX1").events().front().text());
  check_equal(true, store.get("PX1").finished());
  check_throws<UnknownName>("there is no parcel PX2", [&store] { store.get("PX2"); });
});

const Register windows("a window begins at its start and is over at its end", [] {
  const DayWindow noon({12, 0}, {13, 0});
  check_equal(false, noon.contains({11, 59}));
  check_equal(true, noon.contains({12, 0}));
  check_equal(true, noon.contains({12, 59}));
  check_equal(false, noon.contains({13, 0}));
});

const Register nights("a window may run past midnight", [] {
  const DayWindow night({21, 30}, {7, 0});
  check_equal(true, night.contains({23, 59}));
  check_equal(true, night.contains({3, 0}));
  check_equal(false, night.contains({12, 0}));
});

Settings settings(const std::string& text) {
  std::istringstream lines(text);
  return Settings::read(lines);
}

const Register deferral("messages wait for the end of adjoining quiet spans", [] {
  const Settings lunch = settings("quiet 12:00 13:00\nquiet 13:00 14:00\nsubscriber a@b DELIVERED\n");
  const Dispatcher dispatcher(lunch.subscriptions, lunch.calendar);
  const auto scans = feed("2024-03-05T12:10Z|PX1|DELIVERED|HAM\n2024-03-05T12:10Z|PX1|CUSTOMS|HAM\n");
  check_equal("2024-03-05 14:00", dispatcher.messages(scans[0]).at(0).send_at.text());
  check_equal(0u, dispatcher.messages(scans[1]).size());
});

const Register always_quiet("a calendar without a gap is an error", [] {
  const Settings never = settings("quiet 00:00 12:00\nquiet 12:00 00:00\nsubscriber a@b DELIVERED\n");
  const Dispatcher dispatcher(never.subscriptions, never.calendar);
  const auto scans = feed("2024-03-05T12:10Z|PX1|DELIVERED|HAM\n");
  check_throws<DispatchError>(
      "gave up on the message to a@b of 2024-03-05 12:10: deferred 3 times, and 2024-03-07 00:00 is "
      "still not allowed",
      [&] { dispatcher.messages(scans[0]); });
});

const Register misspelt("a setting that does not exist is named", [] {
  check_throws<BadLine>("line 2: there is no setting quite", [] { settings("# night\nquite 21:00 07:00\n"); });
});

}  // namespace
