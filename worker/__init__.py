"""RQ jobs that bring a project up to date: encode what is missing, train on new gold, repair what webhooks lost."""
