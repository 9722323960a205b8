"""Tables, figures and their data, as the pages have them."""
