"""What does the model say? `windows` knows the models, `client` talks to a back end."""
