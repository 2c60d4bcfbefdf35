// A task that calls one function of one object: what a simulated thing has to do later, or when something has come.
#ifndef METASTORE_SIM_CALLING_H_
#define METASTORE_SIM_CALLING_H_

#include "core/host/port/loop.h"

namespace metastore::sim {

template <typename Function>
struct OwnerOf;
template <typename Object>
struct OwnerOf<void (Object::*)()> {
  using Type = Object;
};

template <auto function>
class Calling final : public port::Task {
 public:
  using Owner = typename OwnerOf<decltype(function)>::Type;

  explicit Calling(Owner& owner) : owner_(owner) {}
  void run() override { (owner_.*function)(); }

 private:
  Owner& owner_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CALLING_H_
