"""How an answer is judged: by running it on fresh random cases, with a sentence that says which mistake was made.

verdict       what a check returns, and an answer run so that whatever it does is met with a sentence
arrays        an answer as arrays of numbers
comparison    an answer compared with the right function, and with a catalogue of mistakes
gradients     a backward, where the complex step decides
"""
