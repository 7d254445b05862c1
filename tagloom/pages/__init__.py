"""Parts of the HTML pages that Tagloom writes: plots, pictures with their boxes. Nothing in them is fetched."""
