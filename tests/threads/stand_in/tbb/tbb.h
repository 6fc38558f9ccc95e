// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

// As much of TBB as xtensor and xmask use, on plain threads: a thread sanitizer sees all that these do, while of TBB's own
// library and of OpenMP's it sees half, and reports what is none.

#include <array>
#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

namespace tbb
{
    struct static_partitioner
    {
    };

    template <class I>
    class blocked_range
    {
    public:

        blocked_range(I begin, I end)
            : m_begin(begin)
            , m_end(end)
        {
        }

        I begin() const
        {
            return m_begin;
        }

        I end() const
        {
            return m_end;
        }

    private:

        I m_begin;
        I m_end;
    };

    template <class I, class F>
    void parallel_for(I first, I last, I step, const F& f)
    {
        constexpr I threads = 3;
        std::array<std::exception_ptr, threads> thrown;
        std::vector<std::thread> running;
        for (I t = 0; t < threads; ++t)
        {
            running.emplace_back([=, &f, &thrown] {
                try
                {
                    for (I i = first + t * step; i < last; i += threads * step)
                    {
                        f(i);
                    }
                }
                catch (...)
                {
                    thrown[t] = std::current_exception();
                }
            });
        }
        for (I t = 0; t < threads; ++t)
        {
            running[t].join();
        }
        for (const auto& exception : thrown)
        {
            if (exception)
            {
                std::rethrow_exception(exception);
            }
        }
    }

    template <class I, class F>
    void parallel_for(I first, I last, const F& f)
    {
        parallel_for(first, last, I(1), f);
    }

    template <class I, class F>
    void parallel_for(I first, I last, I step, const F& f, static_partitioner&)
    {
        parallel_for(first, last, step, f);
    }

    template <class I, class F>
    void parallel_for(I first, I last, const F& f, static_partitioner&)
    {
        parallel_for(first, last, I(1), f);
    }

    template <class I, class F>
    void parallel_for(const blocked_range<I>& range, const F& f, static_partitioner&)
    {
        parallel_for(range.begin(), range.end(), I(1), [&](I i) { f(blocked_range<I>(i, i + 1)); });
    }

    struct global_control
    {
        static constexpr int max_allowed_parallelism = 0;

        global_control(int, std::size_t)
        {
        }
    };
}
