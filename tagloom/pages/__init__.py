"""Parts of the HTML pages that Tagloom writes: plots, and pictures with their boxes. The pages load nothing else."""
