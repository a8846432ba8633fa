#include "parcels/pricing.hpp"

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "parcels/error.hpp"

namespace parcels {
namespace {

constexpr int kCubicCentimetresPerKilogram = 5000;  // the usual divisor of road freight
constexpr int kStepGrams = 500;
constexpr int kLongestEdge = 150;

struct Tariff {
  Money base, per_kg, per_100_km;
};

constexpr Tariff kEconomy{{390}, {55}, {80}};
constexpr Tariff kExpress{{890}, {120}, {145}};

constexpr long divide_up(long amount, long divisor) { return (amount + divisor - 1) / divisor; }

}  // namespace

std::string Money::text() const {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%ld.%02ld", cents / 100, cents % 100);
  return buffer;
}

Size Size::parse(const std::string& text) {
  Size size{};
  int used = 0;
  const int found =
      std::sscanf(text.c_str(), "%dx%dx%d%n", &size.length, &size.width, &size.height, &used);
  const auto fits = [](int edge) { return 0 < edge && edge <= kLongestEdge; };
  if (found != 3 || used != static_cast<int>(text.size()) || !fits(size.length) ||
      !fits(size.width) || !fits(size.height)) {
    throw Error(text + " is not a size like 40x30x20");
  }
  return size;
}

int chargeable_grams(int scale_grams, const Size& size) {
  const long volume = static_cast<long>(size.length) * size.width * size.height;
  const long volumetric = divide_up(volume * 1000, kCubicCentimetresPerKilogram);
  return static_cast<int>(divide_up(std::max<long>(scale_grams, volumetric), kStepGrams)) * kStepGrams;
}

Money BulkySurcharge::amount(const Request& request, Money) const {
  const Size& size = request.size;
  return std::max({size.length, size.width, size.height}) > limit_cm_ ? price_ : Money{};
}

Money Quote::total() const {
  return std::accumulate(lines.begin(), lines.end(), Money{},
                         [](Money sum, const Line& line) { return sum + line.amount; });
}

Quote QuoteDesk::quote(const Request& request) const {
  const Route route = network_.shortest(request.from, request.to, request.service);
  const Tariff& tariff = request.service == Service::economy ? kEconomy : kExpress;
  const int grams = chargeable_grams(request.scale_grams, request.size);
  const Money carriage =
      tariff.base + tariff.per_kg.share(grams, 1000) + tariff.per_100_km.share(route.km(), 100);
  Quote quote{grams, route.hours(), {{"carriage", carriage}}};
  for (const auto& surcharge : surcharges_) {
    const Money amount = surcharge->amount(request, carriage);
    if (!(amount == Money{})) quote.lines.push_back({std::string(surcharge->name()), amount});
  }
  return quote;
}

}  // namespace parcels
