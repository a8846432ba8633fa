// What would it cost to send this parcel?
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parcels/network.hpp"

namespace parcels {

/// An amount of money in whole cents.
struct Money {
  long cents = 0;

  /// A fraction of the amount, rounded half up to the cent.
  Money share(long numerator, long denominator) const {
    return {(cents * numerator + denominator / 2) / denominator};
  }
  std::string text() const;

  friend Money operator+(Money a, Money b) { return {a.cents + b.cents}; }
  friend bool operator==(Money a, Money b) { return a.cents == b.cents; }
};

/// The outside of a box, in centimetres.
struct Size {
  int length, width, height;

  /// Reads `40x30x20`. Throws Error.
  static Size parse(const std::string& text);
};

/// The larger of scale and volumetric weight in grams, up to the next half kilogram.
int chargeable_grams(int scale_grams, const Size& size);

struct Request {
  std::string from, to;
  Service service;
  Size size;
  int scale_grams;
};

/// What is added to the carriage, and why.
class Surcharge {
 public:
  virtual ~Surcharge() = default;
  virtual std::string_view name() const = 0;

  /// Zero where the surcharge does not apply.
  virtual Money amount(const Request& request, Money carriage) const = 0;
};

/// A share of the carriage, in thousandths.
class FuelSurcharge final : public Surcharge {
 public:
  explicit FuelSurcharge(long permille) : permille_(permille) {}
  std::string_view name() const override { return "fuel"; }
  Money amount(const Request&, Money carriage) const override {
    return carriage.share(permille_, 1000);
  }

 private:
  long permille_;
};

/// A fixed price for parcels with an edge beyond a limit.
class BulkySurcharge final : public Surcharge {
 public:
  BulkySurcharge(int limit_cm, Money price) : limit_cm_(limit_cm), price_(price) {}
  std::string_view name() const override { return "bulky"; }
  Money amount(const Request& request, Money carriage) const override;

 private:
  int limit_cm_;
  Money price_;
};

struct Quote {
  struct Line {
    std::string name;
    Money amount;
  };

  int grams;
  int hours;
  std::vector<Line> lines;

  Money total() const;
};

/// Quotes requests over a network; surcharges are listed in the order in which they were added.
class QuoteDesk {
 public:
  explicit QuoteDesk(const Network& network) : network_(network) {}

  template <typename Kind, typename... Arguments>
  void add_surcharge(Arguments&&... arguments) {
    surcharges_.push_back(std::make_unique<Kind>(std::forward<Arguments>(arguments)...));
  }

  /// Throws UnknownName for hubs that do not exist or are not connected.
  Quote quote(const Request& request) const;

 private:
  const Network& network_;
  std::vector<std::unique_ptr<Surcharge>> surcharges_;
};

}  // namespace parcels
