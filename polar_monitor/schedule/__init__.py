"""When an evaluation happens: counts optimiser steps, plans the next evaluation, keeps to the time budget."""
