"""The page in the browser, and the film: θ_t seen while it moves.

    choice       what is learned: data set, start, settings            run        θ_t, one step on, and back
    measure      what is said of θ_t: its tokens and answers           path       the plane through θ̂ and θ_t
    slow, lines  one step taken apart, and the lines that compute it   record     all of it as events
    film         recorded events as one HTML file                      scripts    the same run to take away
    worker       one run in a process of its own                       finished   a run in a directory, taken up again
    server       the page, behind its door                             session    one page, one worker

What a page shows is made in static/ by hand-written JavaScript, one idea a file, the same for page and film.
"""
