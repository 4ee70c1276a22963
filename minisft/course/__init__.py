"""What the notebooks need besides the library. Each has a package that judges its exercises and draws its figures.

grading    how an answer is judged
display    what a notebook shows besides pictures
copies     the students' copy of the notebooks
variants   copies in which neighbours' answers differ
nbgrader   the notebooks as assignments of nbgrader
grade      notebooks that were handed in, judged outside their kernels
"""
