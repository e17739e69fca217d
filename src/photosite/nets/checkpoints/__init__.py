"""Published weights: found, fetched, read from strangers, renamed, and put into networks of ours."""
