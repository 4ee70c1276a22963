"""What the notebooks need besides the library. Each has a package that judges its exercises and draws its figures.

grading    how an answer is judged
display    what a notebook shows besides pictures
copies     the students' copy of the notebooks
"""
