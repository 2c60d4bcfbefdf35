#include "net/signals_asio.h"

#include <csignal>
#include <utility>

namespace metastore::net {

SignalsAsio::SignalsAsio(LoopAsio& loop, std::function<void(int)> on_signal)
    : signals_(loop.context(), SIGTERM, SIGINT), on_signal_(std::move(on_signal)) {
  std::signal(SIGPIPE, SIG_IGN);
  signals_.async_wait([this](const boost::system::error_code& error, int number) {
    if (error) return;
    signals_.clear();
    on_signal_(number);
  });
}

}  // namespace metastore::net
