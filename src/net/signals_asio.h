// SIGTERM and SIGINT as a call on the loop. The first asks for a clean end; after it the system's own handling is back,
// so that a second one kills. A broken pipe is an error of the write, not a signal.
#ifndef METASTORE_NET_SIGNALS_ASIO_H_
#define METASTORE_NET_SIGNALS_ASIO_H_

#include <boost/asio/signal_set.hpp>
#include <functional>

#include "net/loop_asio.h"

namespace metastore::net {

class SignalsAsio {
 public:
  /// Calls `on_signal` with the signal's number, at most once.
  SignalsAsio(LoopAsio& loop, std::function<void(int)> on_signal);

 private:
  boost::asio::signal_set signals_;
  std::function<void(int)> on_signal_;
};

}  // namespace metastore::net

#endif  // METASTORE_NET_SIGNALS_ASIO_H_
