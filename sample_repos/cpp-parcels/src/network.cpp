#include "parcels/network.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <queue>
#include <sstream>
#include <tuple>
#include <utility>

#include "parcels/error.hpp"

namespace parcels {
namespace {

template <typename Measure>
int total(const std::vector<Leg>& legs, Measure measure) {
  return std::accumulate(legs.begin(), legs.end(), 0, [measure](int sum, const Leg& leg) {
    return sum + std::invoke(measure, leg);
  });
}

using Arrivals = std::map<std::string, const Leg*>;

std::vector<Leg> trace(const Arrivals& arrivals, const std::string& to) {
  std::vector<Leg> legs;
  for (const Leg* leg = arrivals.at(to); leg != nullptr; leg = arrivals.at(leg->from)) {
    legs.push_back(*leg);
  }
  std::reverse(legs.begin(), legs.end());
  return legs;
}

}  // namespace

Service parse_service(const std::string& name) {
  if (name == "economy") return Service::economy;
  if (name == "express") return Service::express;
  throw UnknownName("service", name);
}

int Route::km() const { return total(legs, &Leg::km); }

int Route::hours() const { return total(legs, &Leg::hours); }

std::string Route::text() const {
  return std::accumulate(legs.begin(), legs.end(), start, [](std::string line, const Leg& leg) {
    return std::move(line) + " > " + leg.to;
  });
}

Network Network::read(std::istream& source) {
  Network network;
  std::string line;
  for (int number = 1; std::getline(source, line); ++number) {
    std::istringstream words(line);
    std::string what;
    if (!(words >> what) || what.front() == '#') continue;
    Leg leg{};
    if (what == "hub" && words >> leg.from >> leg.to) {
      network.hubs_[leg.from].city = leg.to;
    } else if (what == "link" && words >> leg.from >> leg.to >> leg.km >> leg.hours) {
      int hours_back = leg.hours;
      if (!(words >> hours_back)) hours_back = leg.hours;
      network.connect(leg);
      network.connect({leg.to, leg.from, leg.km, hours_back});
    } else {
      throw BadLine(number, "expected a hub or a link");
    }
  }
  return network;
}

void Network::connect(Leg leg) {
  hub(leg.to);
  hub(leg.from);
  hubs_.at(leg.from).departures.push_back(std::move(leg));
}

const Network::Hub& Network::hub(const std::string& code) const {
  const auto found = hubs_.find(code);
  if (found == hubs_.end()) throw UnknownName("hub", code);
  return found->second;
}

const std::string& Network::city(const std::string& code) const { return hub(code).city; }

const std::vector<Leg>& Network::departures(const std::string& code) const {
  return hub(code).departures;
}

Route Network::shortest(const std::string& from, const std::string& to, Service service) const {
  using Visit = std::tuple<int, std::string, const Leg*>;
  hub(to);
  Arrivals arrivals;
  std::priority_queue<Visit, std::vector<Visit>, std::greater<>> frontier;
  frontier.emplace(0, from, nullptr);
  while (!frontier.empty()) {
    const auto [cost, here, by] = frontier.top();
    frontier.pop();
    if (!arrivals.emplace(here, by).second) continue;
    if (here == to) return {from, trace(arrivals, to)};
    for (const Leg& leg : departures(here)) {
      frontier.emplace(cost + (service == Service::economy ? leg.km : leg.hours), leg.to, &leg);
    }
  }
  throw UnknownName("route", from + " > " + to);
}

}  // namespace parcels
