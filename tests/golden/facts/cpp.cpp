#include <vector>
#include "store.hpp"

using namespace std::chrono;
using std::string;

#define LIMIT 100

namespace acme::parcels {

/// A level.
enum class Level : int { Low, High };

using Loader = std::function<Parcel(const string &)>;
constexpr int kSize = LIMIT;

// A store of parcels.
template <typename T>
class Store : public Base<T>, private detail::Lock {
 public:
  explicit Store(Clock clock) : clock_(clock), size_(kSize) {}
  Store(const Store &) = delete;
  virtual ~Store();

  /// Finds one.
  T *get(const string &id) const;
  bool operator==(const Store &other) const { return size_ == other.size_; }
  explicit operator bool() const { return size_ > 0; }
  static Store create();

  struct Cursor {
    int at = 0;
  };

 private:
  std::vector<T> parcels_;
  Clock clock_;
  int size_;
};

template <typename T>
T *Store<T>::get(const string &id) const {
  for (const auto &parcel : parcels_) {
    if (parcel.id() == id) return this->pick(parcel);
  }
  auto loader = [this](int n) { return detail::load<T>(n, size_); };
  T *made = new Parcel(id);
  std::sort(parcels_.begin(), parcels_.end(), compare);
  return static_cast<T *>(made);
}

bool compare(const Parcel &a, const Parcel &b) {
  return a.weight < b.weight && Level::High > Level::Low;
}

template <>
struct Hash<std::vector<int>> {
  size_t operator()(const std::vector<int> &v) const { return v.size(); }
};

}  // namespace acme::parcels

class API Widget {
 public:
  void draw() const { paint(kSize); }
};

int main() {
  acme::parcels::Store<int> store(clock());
  return store.get("a") ? 0 : 1;
}
