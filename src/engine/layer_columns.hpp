#pragma once

#include "change.hpp"
#include "neuron_kernels.hpp"

#include <cstddef>
#include <vector>

namespace etastar::engine {

// What d of one column is made of, in mantissas: the coefficients of ChangeTerms.
struct Combination {
    double base = 0;
    double forward = 0;
    double gradient = 0;
    double fresh = 0;
    double sign = 0;
};

// One layer of all columns as the kernels take them: the linear response alone, the steps in panels.
template <class T>
class LayerColumns {
public:
    // z_unit: in which the engine holds z.
    LayerColumns(const ChangeColumns& columns, double z_unit)
        : z_unit_(z_unit), panels_(panels_for(columns.count() - 1)) {
        for (std::size_t k = 1; k < columns.count(); ++k) {
            auto& panel = panels_[(k - 1) / panel_columns];
            panel.step[(k - 1) % panel_columns] = static_cast<T>(columns.step(k, z_unit));
            panel.kink[(k - 1) % panel_columns] = static_cast<T>(columns.kink(k, z_unit));
        }
    }

    void set(std::size_t k, const Combination& c) {
        at(*this, k, [&](auto& terms, auto place) {
            place(terms.base) = static_cast<T>(c.base);
            place(terms.forward) = static_cast<T>(c.forward);
            place(terms.backward) = static_cast<T>(c.gradient);
            place(terms.fresh) = static_cast<T>(c.fresh);
            place(terms.sign) = static_cast<T>(c.sign);
        });
    }

    // The same neurons twice: with the response's base and output, and with those of the first step, from which the others'
    // follow in the row.
    void advance(const NeuronKernels<T>& kernels, const Neurons<T>& of_response, Neurons<T> of_steps,
                 Terms terms) {
        kernels.sums->response(of_response, terms, response_);
        for (auto& panel : panels_) {
            kernels.panel(of_steps, terms, panel);
            if (of_steps.base != nullptr) of_steps.base += panel_columns;
            if (of_steps.out != nullptr) of_steps.out += panel_columns;
        }
    }

    // projection(h . e, side . e): on the vector that ChangeColumns is to know.
    template <class Projection>
    void deliver(ChangeColumns& columns, Projection projection) const {
        for (std::size_t k = 0; k < columns.count(); ++k)
            at(*this, k, [&](const auto& terms, auto place) {
                const double overlap = z_unit_ * place(terms.overlap);
                columns.sums(k) = {.change2 = place(terms.change2),
                                   .active2 = place(terms.active2),
                                   .overlap = overlap,
                                   .projection = projection(overlap, place(terms.projection)),
                                   .sign_overlap = place(terms.sign_overlap)};
            });
    }

private:
    // use(terms, place) with the terms that column k is among, and its place in each of them.
    template <class Self, class Use>
    static void at(Self& self, std::size_t k, Use use) {
        if (k == 0)
            use(
                self.response_, [](auto& value) -> auto& { return value; });
        else
            use(
                self.panels_[(k - 1) / panel_columns], [i = (k - 1) % panel_columns](auto& values) -> auto& {
                    return values[i];
                });
    }

    double z_unit_;
    Response<T> response_;
    std::vector<Panel<T>> panels_;
};

} // namespace etastar::engine
