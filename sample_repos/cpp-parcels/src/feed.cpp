#include "parcels/feed.hpp"

#include <utility>

#include "parcels/error.hpp"

namespace parcels {
namespace {

Scan parse_scan(std::string_view line) {
  const std::vector<std::string> fields = split_fields(line);
  if (fields.size() < 4 || fields.size() > 5) {
    throw Error("expected 4 or 5 fields, found " + std::to_string(fields.size()));
  }
  const std::optional<EventKind> kind = parse_event_kind(fields[2]);
  if (!kind) throw Error(fields[2] + " is not an event");
  std::string note = fields.size() == 5 ? fields[4] : "";
  return {fields[1], Event{Moment::parse(fields[0]), *kind, fields[3], std::move(note)}};
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::vector<std::string> split_fields(std::string_view line) {
  std::vector<std::string> fields(1);
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '|') {
      fields.emplace_back();
    } else if (line[i] == '\\' && i + 1 < line.size()) {
      fields.back() += line[++i];
    } else {
      fields.back() += line[i];
    }
  }
  for (std::string& field : fields) field = std::string(trimmed(field));
  return fields;
}

std::vector<Scan> read_feed(std::istream& source) {
  std::vector<Scan> scans;
  std::string line;
  for (int number = 1; std::getline(source, line); ++number) {
    const std::string_view content = trimmed(line);
    if (content.empty() || content.front() == '#') continue;
    try {
      scans.push_back(parse_scan(content));
    } catch (const Error& error) {
      throw BadLine(number, error.what());
    }
  }
  return scans;
}

}  // namespace parcels
