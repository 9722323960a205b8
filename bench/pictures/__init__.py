"""Pictures of the views for README and docs, taken by a browser from runs that are trained for them."""
