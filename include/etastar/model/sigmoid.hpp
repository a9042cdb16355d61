#pragma once

#include <array>
#include <cstddef>
#include <type_traits>

// Odd sigmoid functions as rational functions, for activations. Only + - * / and comparisons: the same bits on every
// processor. V is float, double or a vector of either (GCC's vector extension).
//
//     R(y) = N(y) / D(y),   N odd, D even,   |y| <= clamp;   R(+-clamp) beyond
//
// The coefficients are minimax (Remez with 80 digits, in the variable y^2): the largest |R - f| over all y, the clamp's
// jump included, is 2e-8 in single and 1e-16 in double precision before rounding. All are positive, so both polynomials
// are sums without cancellation.
//
// A divided difference (R(y) - R(z)) / (y - z) has none either: A(y) = N(y) - R(z) D(y) has the root z, and
//
//     (R(y) - R(z)) / (y - z) = C(y) / D(y),   C(y) = A(y) / (y - z) = sum c_k y^k
//
// where the c_k depend on z only. They are partial sums of A, from either end, as A(z) = 0:
//
//     c_k = sum_{j>k} a_j z^{j-k-1} = -sum_{j<=k} a_j z^{j-k-1}
//
// Taken from the end with the smaller terms, each is known to a few units of rounding of its own coefficient a_k or
// a_{k+1}: C is then as accurate wherever y is.
//
// All is inlined: objects for several instruction sets share the names of these templates, and no copy of one must be
// linked where another is meant.
namespace etastar::model {

namespace detail {

template <class V>
struct ElementOf {
    using type = std::remove_cvref_t<decltype(V{}[0])>;
};
template <class V>
requires std::is_arithmetic_v<V>
struct ElementOf<V> {
    using type = V;
};

template <class V, class T>
[[gnu::always_inline]] inline V broadcast(T x) {
    return V{} + x;
}

// v unless it is below the bound; NaN stays.
template <class V>
[[gnu::always_inline]] inline V at_least(V v, V bound) {
    return v < bound ? bound : v;
}
template <class V>
[[gnu::always_inline]] inline V at_most(V v, V bound) {
    return v > bound ? bound : v;
}

// Stands for a positive number too small to tell, where only the sign matters.
inline constexpr double tiny = 1e-30;

} // namespace detail

// float or double: what V is or holds.
template <class V>
using Element = typename detail::ElementOf<V>::type;

template <class T, std::size_t Odd, std::size_t Even>
struct OddRational {
    T clamp;
    std::array<T, Odd> odd;   // N(y) = sum odd[i] y^{2i+1}
    std::array<T, Even> even; // D(y) = sum even[i] y^{2i}, the last of them 1

    static constexpr std::size_t degree = Even > Odd ? 2 * Even - 2 : 2 * Odd - 1; // of A
};

// tanh(y)
struct TanhRational {
    template <class T>
    static constexpr auto table() {
        if constexpr (std::is_same_v<T, float>)
            return OddRational<float, 5, 5>{
                9.0f,
                {1298265.0f, 173619.531f, 4526.50293f, 26.5777264f, 0.0171163194f},
                {1298265.12f, 606374.125f, 33549.7266f, 424.711517f, 1.0f}};
        else
            return OddRational<double, 10, 10>{
                18.8,
                {1.5683541273645076e+20, 2.381259263978898e+19, 9.376654629124172e+17, 1.4703622931778048e+16,
                 107462004563586.47, 384866929689.83136, 660031641.9104582, 487156.5371099557,
                 118.65755245445966, 0.004037439574867025},
                {1.568354127364508e+20, 7.609106355193899e+19, 5.389964948699048e+18, 1.3001685134931224e+17,
                 1376000877253905.2, 7029337003577.383, 17550255434.444454, 20148239.751701575,
                 8982.094779127909, 1.0}};
    }
};

// erf(sqrt(pi) y / 2): slope 1 at 0.
struct ErfRational {
    template <class T>
    static constexpr auto table() {
        if constexpr (std::is_same_v<T, float>)
            return OddRational<float, 6, 6>{
                4.45709753f,
                {88435.5469f, 11944.0146f, 2572.30591f, 148.743637f, 8.57645607f, 0.047115054f},
                {88435.5625f, 35096.2617f, 6305.70898f, 654.27478f, 40.3195076f, 1.0f}};
        else
            return OddRational<double, 13, 14>{
                6.657437085863524,
                {2.1504333688419734e+19, 3.335093759225308e+18, 7.87036752010928e+17, 6.559067112246996e+16,
                 6451895909713715.0, 346003511360974.6, 19039229726344.957, 676275643960.7169,
                 22289800992.168747, 481011736.3136326, 8453002.763017043, 60581.8096851005,
                 80.29627844004432},
                {2.1504333688419734e+19, 8.964915153882252e+18, 1.807550635882597e+18, 2.3385934571276346e+17,
                 2.1706370009368684e+16, 1529358099672111.2, 84284136700201.88, 3680846883719.737,
                 127147357110.0343, 3404001318.934844, 66890291.918954186, 845509.8010398222,
                 2872.012986068286, 1.0}};
    }
};

// Phi(y) - 1/2 = erf(y / sqrt(2)) / 2
struct NormalRational {
    template <class T>
    static constexpr auto table() {
        if constexpr (std::is_same_v<T, float>)
            return OddRational<float, 6, 6>{
                5.58614349f,
                {337393.188f, 29009.4766f, 3977.33618f, 146.415894f, 5.37449694f, 0.0187961869f},
                {845719.438f, 213668.438f, 24439.5684f, 1614.35828f, 63.3337364f, 1.0f}};
        else
            return OddRational<double, 13, 14>{
                8.34386001800126,
                {3.0408462193198204e+21, 3.002317639668639e+20, 4.5104900186621714e+19, 2.393045249952037e+18,
                 1.498567505565129e+17, 5116224443129862.0, 179224995891865.06, 4052780423221.8804,
                 85038509980.03319, 1168275440.0903268, 13070154.094150057, 59633.74202164511,
                 50.31823047136467},
                {7.622271112151842e+21, 2.022947947193663e+21, 2.5966243152730518e+20, 2.138717881839315e+19,
                 1.263764335503533e+18, 5.668500688834992e+16, 1988771931911196.0, 55292600268960.78,
                 1215924817002.9473, 20723792147.249287, 259252362.30813956, 2086211.8133767042,
                 4511.347449023307, 1.0}};
    }
};

// 1/(1 + exp(-y)) - 1/2 = tanh(y / 2) / 2: tanh's coefficients times powers of two.
struct LogisticRational {
    template <class T>
    static constexpr auto table() {
        auto table = TanhRational::table<T>();
        table.clamp *= 2;
        // The last of the even ones stays 1.
        constexpr T first = T(1 << (2 * (table.even.size() - 1)));
        T power = first;
        for (auto& c : table.even) c *= power, power /= 4;
        power = first / 4;
        for (auto& c : table.odd) c *= power, power /= 4;
        return table;
    }
};

template <class Rational>
class Sigmoid {
    template <class T>
    static constexpr auto table = Rational::template table<T>();
    template <class T>
    static constexpr std::size_t coefficients = decltype(Rational::template table<T>())::degree;

    // Facts: z within the clamps, how far it is beyond them, the bounds of what may be added to the first, c_0, c_1, ...
    enum : std::size_t { inside, beyond, below, above, first };

public:
    template <class T>
    static constexpr std::size_t facts_in = first + coefficients<T>;
    static constexpr std::size_t facts = facts_in<double>;

    // R(z)
    template <class V>
    [[gnu::always_inline]] static V value(V z) {
        const V y = clamped(z);
        const V t = y * y;
        return y * horner(table<Element<V>>.odd, t) / monic(table<Element<V>>.even, t);
    }

    // R'(z)
    template <class V>
    [[gnu::always_inline]] static V slope(V z) {
        return value_and_slope(z).slope;
    }

    // Both, for little more than one. With N = y A(y^2) and D = B(y^2), R' = (N' - R D') / D.
    template <class V>
    struct ValueAndSlope {
        V value;
        V slope;
    };
    template <class V>
    [[gnu::always_inline]] static ValueAndSlope<V> value_and_slope(V z) {
        using T = Element<V>;
        const V y = clamped(z);
        const V t = y * y;
        const auto [odd, odd_slope] = horner_and_slope(table<T>.odd, t);
        const auto [even, even_slope] = horner_and_slope(table<T>.even, t);
        const V inverse = T(1) / even;
        const V value = y * odd * inverse;
        const V inner = (odd + T(2) * (t * odd_slope - value * (y * even_slope))) * inverse;
        return {value, y != z ? V{} : inner};
    }

    template <class V>
    [[gnu::always_inline]] static void study(V z, V* known) {
        using T = Element<V>;
        constexpr auto& r = table<T>;
        constexpr std::size_t count = coefficients<T>;
        const V y = clamped(z);
        const V value = Sigmoid::value(y);
        known[inside] = y;
        known[beyond] = z - y;
        known[below] = -r.clamp - y;
        known[above] = r.clamp - y;
        const auto a = [&](std::size_t j) __attribute__((always_inline)) {
            const std::size_t i = j / 2;
            if (j % 2 == 1) return i < r.odd.size() ? detail::broadcast<V>(r.odd[i]) : V{};
            return i < r.even.size() ? -(value * r.even[i]) : V{};
        };
        V sum = a(count);
        known[first + count - 1] = sum;
        for (std::size_t k = count - 1; k-- > 0;) {
            sum = a(k + 1) + y * sum;
            known[first + k] = sum;
        }
        const V size = y < V{} ? -y : y;
        const V inverse = T(1) / y; // not used at 0
        V low{};
        for (std::size_t k = 0; k < low_count<T>; ++k) {
            low = (low - a(k)) * inverse;
            known[first + k] = size > detail::broadcast<V>(switch_points<T>[k]) ? low : known[first + k];
        }
        // Single precision has fewer.
        for (std::size_t j = facts_in<T>; j < Sigmoid::facts; ++j) known[j] = V{};
    }

    // (R(z + step d) - R(z)) / step
    template <class V, class Known>
    [[gnu::always_inline]] static V change(Known known, V d, V step, V kink) {
        using T = Element<V>;
        constexpr std::size_t count = coefficients<T>;
        const V shifted = d + known(beyond) * kink;
        const V moved = detail::at_most(detail::at_least(shifted, known(below) * kink), known(above) * kink);
        const V y = step * moved + known(inside);
        // Odd and even powers apart: half as long to wait for.
        const V t = y * y;
        V upper = t * known(first + count - 1) + known(first + count - 3);
        V lower = t * known(first + count - 2) + known(first + count - 4);
        for (std::size_t k = count - 4; k >= 2; k -= 2) {
            upper = upper * t + known(first + k - 1);
            lower = lower * t + known(first + k - 2);
        }
        V sum;
        if constexpr (count % 2 == 0)
            sum = upper * y + lower;
        else
            sum = (upper * t + known(first)) + lower * y;
        return moved * sum / monic(table<T>.even, t);
    }

private:
    template <class V>
    [[gnu::always_inline]] static V clamped(V z) {
        const V bound = detail::broadcast<V>(table<Element<V>>.clamp);
        return detail::at_most(detail::at_least(z, -bound), bound);
    }

    template <class V, class T, std::size_t Count>
    [[gnu::always_inline]] static V horner(const std::array<T, Count>& c, V t) {
        V sum = t * c[Count - 1] + c[Count - 2];
        for (std::size_t i = Count - 2; i-- > 0;) sum = sum * t + c[i];
        return sum;
    }

    template <class V, class T, std::size_t Count>
    [[gnu::always_inline]] static ValueAndSlope<V> horner_and_slope(const std::array<T, Count>& c, V t) {
        V sum = t * c[Count - 1] + c[Count - 2];
        V slope = detail::broadcast<V>(c[Count - 1]);
        for (std::size_t i = Count - 2; i-- > 0;) {
            slope = slope * t + sum;
            sum = sum * t + c[i];
        }
        return {sum, slope};
    }

    // Of a polynomial whose leading coefficient is 1.
    template <class V, class T, std::size_t Count>
    [[gnu::always_inline]] static V monic(const std::array<T, Count>& c, V t) {
        V sum = t + c[Count - 2];
        for (std::size_t i = Count - 2; i-- > 0;) sum = sum * t + c[i];
        return sum;
    }

    // The terms a_j z^j of A, in size, up to k and from there on.
    template <class T>
    static constexpr std::array<T, 2> sides(T z, std::size_t k) {
        constexpr auto& r = table<T>;
        std::array<T, 2> odd{};
        std::array<T, 2> even{};
        T power = 1;
        for (std::size_t j = 0; j <= coefficients<T>; ++j, power *= z) {
            if (j % 2 == 1 && j / 2 < r.odd.size()) odd[j > k] += r.odd[j / 2] * power;
            if (j % 2 == 0 && j / 2 < r.even.size()) even[j > k] += r.even[j / 2] * power;
        }
        const T value = (odd[0] + odd[1]) / (even[0] + even[1]);
        return {odd[0] + value * even[0], odd[1] + value * even[1]};
    }

    // How many c_k are worth taking from the low end: where that is better by far at the largest z.
    template <class T>
    static constexpr std::size_t low_count = [] {
        std::size_t k = 0;
        for (; k < coefficients<T>; ++k) {
            const auto [low, high] = sides(table<T>.clamp, k);
            if (high < 8 * low) break;
        }
        return k;
    }();

    // |z| beyond which they are.
    template <class T>
    static constexpr auto switch_points = [] {
        std::array<T, low_count<T>> points{};
        for (std::size_t k = 0; k < points.size(); ++k) {
            T from = 0;
            T to = table<T>.clamp;
            for (int bisection = 0; bisection < 12; ++bisection) {
                const T z = (from + to) / 2;
                const auto [low, high] = sides(z, k);
                (high > low ? to : from) = z;
            }
            points[k] = to;
        }
        return points;
    }();
};

} // namespace etastar::model
