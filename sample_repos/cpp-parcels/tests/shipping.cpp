#include "check.hpp"
#include "parcels/error.hpp"
#include "parcels/network.hpp"
#include "parcels/pricing.hpp"

namespace {

using namespace parcels;

Network network() {
  std::istringstream lines(
      "# a triangle, and a hub apart\n"
      "hub A Aachen\nhub B Bonn\nhub C Celle\nhub D Dresden\n"
      "link A B 10 9\nlink B C 10 9\nlink A C 50 3 7\n");
  return Network::read(lines);
}

const Register economy("economy saves kilometres, express saves hours", [] {
  check_equal("A > B > C", network().shortest("A", "C", Service::economy).text());
  check_equal(3, network().shortest("A", "C", Service::express).hours());
  check_equal(7, network().shortest("C", "A", Service::express).hours());
  check_equal(0, network().shortest("B", "B", Service::express).km());
});

const Register unknown("what does not exist is refused", [] {
  check_throws<UnknownName>("there is no hub X", [] { network().shortest("A", "X", Service::economy); });
  check_throws<UnknownName>("there is no route A > D",
                            [] { network().shortest("A", "D", Service::economy); });
  check_throws<BadLine>("line 2: expected a hub or a link", [] {
    std::istringstream lines("hub A Aachen\nroad A B\n");
    Network::read(lines);
  });
});

const Register weight("the larger weight counts by the started half kilogram", [] {
  check_equal(5000, chargeable_grams(4200, Size::parse("40x30x20")));
  check_equal(6500, chargeable_grams(6001, Size::parse("40x30x20")));
  check_throws<Error>("40x30 is not a size like 40x30x20", [] { Size::parse("40x30"); });
});

const Register lines("a quote lists what applies", [] {
  const Network hubs = network();
  QuoteDesk desk(hubs);
  desk.add_surcharge<FuelSurcharge>(75);
  desk.add_surcharge<BulkySurcharge>(120, Money{950});
  Request request{"A", "C", Service::express, Size::parse("10x10x10"), 2000};
  // 8.90 + 2 x 1.20 + 0.5 x 1.45, and 7.5 % of it
  check_equal("12.93", desk.quote(request).total().text());
  check_equal(2u, desk.quote(request).lines.size());
  request.size = Size::parse("121x10x10");
  check_equal("bulky", desk.quote(request).lines.back().name);
});

}  // namespace
