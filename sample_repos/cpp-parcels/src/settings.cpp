#include "parcels/settings.hpp"

#include <sstream>
#include <utility>

#include "parcels/error.hpp"

namespace parcels {
namespace {

void apply(Settings& settings, std::istringstream& words, const std::string& name) {
  std::string first, word;
  if (name == "quiet" && words >> first >> word) {
    settings.calendar.add({TimeOfDay::parse(first), TimeOfDay::parse(word)});
  } else if (name == "subscriber" && words >> first) {
    Subscription subscription{first, {}};
    while (words >> word) {
      const std::optional<EventKind> kind = parse_event_kind(word);
      if (!kind) throw Error(word + " is not an event");
      subscription.kinds.insert(*kind);
    }
    settings.subscriptions.push_back(std::move(subscription));
  } else {
    throw Error("there is no setting " + name);
  }
}

}  // namespace

Settings Settings::read(std::istream& source) {
  Settings settings;
  std::string line;
  for (int number = 1; std::getline(source, line); ++number) {
    std::istringstream words(line);
    std::string name;
    if (!(words >> name) || name.front() == '#') continue;
    try {
      apply(settings, words, name);
    } catch (const Error& error) {
      throw BadLine(number, error.what());
    }
  }
  return settings;
}

}  // namespace parcels
