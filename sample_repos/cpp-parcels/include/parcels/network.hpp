// How does one get from hub to hub?
#pragma once

#include <istream>
#include <map>
#include <string>
#include <vector>

namespace parcels {

/// One link, in the direction of travel.
struct Leg {
  std::string from;
  std::string to;
  int km;
  int hours;
};

/// What a customer pays for: economy takes the fewest kilometres, express the fewest hours.
enum class Service { economy, express };

/// Reads `economy` or `express`. Throws UnknownName.
Service parse_service(const std::string& name);

/// A chain of legs; without legs it stays at its start.
struct Route {
  std::string start;
  std::vector<Leg> legs;

  int km() const;
  int hours() const;
  std::string text() const;
};

/// A directed graph of hubs.
class Network {
 public:
  /// Reads lines like `hub HAM Hamburg` and `link BER PRG 350 5 9`: kilometres, hours, and the
  /// hours on the way back where they differ. Throws BadLine.
  static Network read(std::istream& source);

  /// The city of a hub. Throws UnknownName.
  const std::string& city(const std::string& code) const;

  /// The legs that leave a hub. Throws UnknownName.
  const std::vector<Leg>& departures(const std::string& code) const;

  /// The route of least cost, by Dijkstra's algorithm. Throws UnknownName if there is none.
  Route shortest(const std::string& from, const std::string& to, Service service) const;

 private:
  struct Hub {
    std::string city;
    std::vector<Leg> departures;
  };

  const Hub& hub(const std::string& code) const;
  void connect(Leg leg);

  std::map<std::string, Hub> hubs_;
};

}  // namespace parcels
