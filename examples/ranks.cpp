// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// The micro-batches of accumulate.cpp on many processes: each rank of MPI computes its own, and one
// MPI_Allreduce of a loss, which is three numbers, gives every rank the loss of the whole. Loss and
// gradient do not depend on the number of ranks.
//
//     mpiexec -n 4 ranks

#include <cstddef>
#include <iostream>
#include <string>
#include <vector>

#include <mpi.h>

#include <xmask/xmask.hpp>

#include "example.hpp"
#include "micro_batches.hpp"

namespace {
static_assert(sizeof(xmask::loss) == 3 * sizeof(double), "a loss travels as three doubles");

// The numbers of one rank, which rank 0 shows.
struct report {
    xmask::loss own;
    xmask::loss total;
};

void show(
    const std::vector<report>& reports, const xt::xtensor<float, 3>& gathered,
    const example::micro_batches& batches
) {
    xt::xtensor<float, 3> gradient;
    const xmask::loss whole = batches.whole(gradient);
    gradient *= static_cast<float>(1 / whole.weight());
    std::vector<xmask::loss> parts;
    for (const report& r : reports) {
        parts.push_back(r.own);
        example::check(r.total.sum() == reports[0].total.sum(), "every rank has the same loss");
        example::check(r.total.weight() == whole.weight(), "every rank has the whole's weight");
    }
    std::cout << "Six micro-batches on " << reports.size()
              << (reports.size() == 1 ? " rank" : " ranks") << ":\n\n";
    example::show_losses(
        "rank", parts, "one MPI_Allreduce of loss, then loss.mean()", reports[0].total, whole
    );
    example::compare_gradients(gathered, gradient);
    std::cout << "\nAll of it holds.\n";
}
} // namespace

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    int rank = 0, ranks = 1;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    const auto first = static_cast<std::size_t>(rank);
    const auto count = static_cast<std::size_t>(ranks);

    const example::micro_batches batches;
    xt::xtensor<float, 3> gradient = xt::zeros<float>(batches.prediction.shape());
    xmask::loss own;
    for (std::size_t i = first; i < batches.count(); i += count) {
        own += batches.part(i, gradient);
    }

    xmask::loss total = own;
    MPI_Allreduce(MPI_IN_PLACE, &total, 3, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    gradient *= static_cast<float>(1 / total.weight()); // of the mean over the whole

    // The loss and the gradient are complete. The rest brings them to rank 0 for the check: a
    // gradient is 0 where it belongs to another rank.
    const report mine = {own, total};
    std::vector<report> reports(rank == 0 ? count : 0);
    MPI_Gather(&mine, 6, MPI_DOUBLE, reports.data(), 6, MPI_DOUBLE, 0, MPI_COMM_WORLD);
    xt::xtensor<float, 3> gathered = gradient;
    MPI_Reduce(
        gradient.data(), gathered.data(), static_cast<int>(gradient.size()), MPI_FLOAT, MPI_SUM, 0,
        MPI_COMM_WORLD
    );
    if (rank == 0) {
        show(reports, gathered, batches);
    }
    MPI_Finalize();
}
