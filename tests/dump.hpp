// Writes variables as JSON and shows the type that each has here: numbers with an exponent are
// double, those without are integers. DUMP_ANY lists the types that a std::any may hold.
#include <any>
#include <cstddef>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <vector>

namespace dump {
inline std::string json(std::nullptr_t) { return "null"; }
inline std::string json(bool value) { return value ? "true" : "false"; }
inline std::string json(long long value) { return std::to_string(value); }
inline std::string json(double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.17e", value);
    return text;
}
inline std::string json(const std::string &value) {
    std::string out = "\"";
    for (unsigned char byte : value) {
        char text[8];
        std::snprintf(text, sizeof text, "\\u%04x", byte);
        out += text;
    }
    return out + "\"";
}
inline std::string json(const std::any &value);
template <class T> std::string json(const std::optional<T> &value);
template <class T> std::string json(const std::vector<T> &value);
template <class T> std::string json(const std::map<std::string, T> &value);
template <class... T> std::string json(const std::tuple<T...> &value);

template <class T> std::string json(const std::optional<T> &value) {
    return value ? json(*value) : "null";
}
template <class T> std::string json(const std::vector<T> &value) {
    std::string out;
    for (std::size_t n = 0; n < value.size(); ++n) {
        if constexpr (std::is_same_v<T, bool>)
            out += (n ? "," : "") + json(static_cast<bool>(value[n]));
        else
            out += (n ? "," : "") + json(value[n]);
    }
    return "[" + out + "]";
}
template <class T> std::string json(const std::map<std::string, T> &value) {
    std::string out;
    for (const auto &item : value)
        out += (out.empty() ? "" : ",") + json(item.first) + ":" + json(item.second);
    return "{" + out + "}";
}
template <class... T> std::string json(const std::tuple<T...> &value) {
    std::string out;
    std::apply([&](const auto &...item) { ((out += (out.empty() ? "" : ",") + json(item)), ...); },
               value);
    return "[" + out + "]";
}
inline std::string json(const std::any &value) {
#define DUMP_AS(...)                                                                               \
    if (value.type() == typeid(__VA_ARGS__)) return json(std::any_cast<const __VA_ARGS__ &>(value));
    DUMP_AS(std::nullptr_t)
    DUMP_AS(bool)
    DUMP_AS(long long)
    DUMP_AS(double)
    DUMP_AS(std::string)
    DUMP_ANY
    return std::string("a type that was not expected: ") + value.type().name();
}
} // namespace dump
