"""What the notebooks need beside the library: one package a notebook, which judges its exercises and draws its figures.

grading    how an answer is judged
display    what a notebook shows beside pictures
copies     the students' copy of the notebooks
"""
