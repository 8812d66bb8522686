"""Who runs in a process of its own: the product, a bare loop, Faust as its manual shows it, what plays a tape."""
