/*
title = "Descriptions by count"
description = "The course's question: which descriptions stand on most lines from a country in one month (UTC). Texts as they came, unknown ones left out, lines of every kind."
[parameters.country]
type = "text"
description = "The country, by the sender's own name for it."
default = "United Kingdom"
max_length = 64
[parameters.year]
type = "integer"
description = "The year."
default = 2011
minimum = 1
maximum = 9999
[parameters.month]
type = "integer"
description = "The month of the year."
default = 11
minimum = 1
maximum = 12
[parameters.top]
type = "integer"
description = "How many descriptions at most."
default = 20
minimum = 1
maximum = 10000
*/
SELECT description, count(*) AS lines
FROM order_lines
WHERE country = :country AND year(ordered_at) = :year AND month(ordered_at) = :month AND description IS NOT NULL
GROUP BY description
ORDER BY lines DESC, description
LIMIT :top
