"""Notebooks that students handed in, judged outside their kernels by checks that their code cannot reach.

submissions   which files there are, whose they are, and which notebook of the course each one is
exercises     what is judged: the exercises and the predictions of the installed notebooks
notebook_file a notebook as it was saved, whatever it is
cells         a cell as Python, without what only a notebook understands
statements    what each statement of a cell defines, changes and needs
answers       an answer taken out of its notebook: the functions, and what they need
wire          plain data between two processes, in both directions: writer, reader, and the values that can be sent
worker        the process in which an answer runs; guard is what it may not do
judging       the process that judges: the installed checks, to which an answer in a worker looks like a function
run           a whole class, by two processes that judge
table         a row for each student and exercise, as CSV
predictions   what a class predicted, counted

A verdict is found where no line of a student has ever run. What a worker sends are values; it is the check that says
whether they are right. So a worker that forges a message has only returned a value, and one that ends, hangs or fills
its memory has only spoilt its own answer.
"""
