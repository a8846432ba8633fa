// What does the user want to know? The command line: read, ask, print.
#include <fstream>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include "parcels/dispatch.hpp"
#include "parcels/error.hpp"
#include "parcels/feed.hpp"
#include "parcels/network.hpp"
#include "parcels/pricing.hpp"
#include "parcels/settings.hpp"

namespace {

using parcels::Error;

template <typename Read>
auto load(const std::string& path, Read read) {
  std::ifstream file(path);
  if (!file) throw Error("cannot open " + path);
  return read(file);
}

parcels::Network network() { return load("examples/network.txt", parcels::Network::read); }

void track(const std::string& feed, const std::string& number) {
  parcels::Store store;
  for (const parcels::Scan& scan : load(feed, parcels::read_feed)) store.ingest(scan);
  const parcels::Parcel& parcel = store.get(number);
  std::cout << number << ": " << (parcel.finished() ? "finished" : "on its way") << '\n';
  for (const parcels::Event& event : parcel.events()) std::cout << "  " << event.text() << '\n';
}

void route(const std::string& from, const std::string& to, const std::string& service) {
  const parcels::Route route = network().shortest(from, to, parcels::parse_service(service));
  std::cout << route.text() << ": " << route.km() << " km, " << route.hours() << " h\n";
}

void quote(const parcels::Request& request) {
  const parcels::Network hubs = network();
  parcels::QuoteDesk desk(hubs);
  desk.add_surcharge<parcels::FuelSurcharge>(75);
  desk.add_surcharge<parcels::BulkySurcharge>(120, parcels::Money{950});
  const parcels::Quote quote = desk.quote(request);
  const auto print = [](const std::string& name, parcels::Money amount) {
    std::cout << std::left << std::setw(10) << name << std::right << std::setw(8) << amount.text() << '\n';
  };
  std::cout << "weight " << quote.grams << " g, " << quote.hours << " h\n";
  for (const parcels::Quote::Line& line : quote.lines) print(line.name, line.amount);
  print("total", quote.total());
}

void dispatch(const std::string& feed) {
  const auto settings = load("examples/parcels.conf", parcels::Settings::read);
  const parcels::Dispatcher dispatcher(settings.subscriptions, settings.calendar);
  parcels::Store store;
  for (const parcels::Scan& scan : load(feed, parcels::read_feed)) {
    if (!store.ingest(scan)) continue;
    for (const parcels::Message& message : dispatcher.messages(scan)) {
      std::cout << message.send_at.text() << "  " << message.address << "  " << message.text << '\n';
    }
  }
}

bool run(const std::vector<std::string>& words) {
  const std::string command = words.empty() ? "" : words[0];
  if (command == "track" && words.size() == 3) {
    track(words[1], words[2]);
  } else if (command == "route" && words.size() == 4) {
    route(words[1], words[2], words[3]);
  } else if (command == "quote" && words.size() == 6) {
    quote({words[1], words[2], parcels::parse_service(words[3]), parcels::Size::parse(words[4]),
           std::stoi(words[5])});
  } else if (command == "dispatch" && words.size() == 2) {
    dispatch(words[1]);
  } else {
    return false;
  }
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    if (run({arguments + 1, arguments + count})) return 0;
  } catch (const std::exception& error) {
    std::cout.flush();
    std::cerr << "parcels: " << error.what() << '\n';
    return 3;
  }
  std::cerr << "usage: parcels track FEED NUMBER | route FROM TO SERVICE\n"
               "       | quote FROM TO SERVICE SIZE GRAMS | dispatch FEED\n";
  return 2;
}
