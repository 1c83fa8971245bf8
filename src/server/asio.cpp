// What of Asio is no template, compiled once.
#include <boost/asio/impl/src.hpp>
