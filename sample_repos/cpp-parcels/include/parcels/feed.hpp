// What do the hubs report? One scan a line:
//
//     2024-03-05T08:15Z|PX1001|ARRIVED|HAM|left at the north gate
//
// The note may be missing. A backslash takes the character after it literally. Empty lines and
// lines that begin with `#` say nothing.
#pragma once

#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "parcels/parcel.hpp"

namespace parcels {

/// The scans of a feed in its order. Throws BadLine at the first line that is none.
std::vector<Scan> read_feed(std::istream& source);

/// Splits at unescaped bars and resolves the escapes.
std::vector<std::string> split_fields(std::string_view line);

/// The text without white space at its ends.
std::string_view trimmed(std::string_view text);

}  // namespace parcels
