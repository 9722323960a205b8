"""The page that shows runs: its forms are ES modules without a build step, which report and TensorBoard tab share."""
