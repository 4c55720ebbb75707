/*
title = "Articles bought together"
description = "Pairs of articles on one sale order: in how many orders both are, in what share of the orders with the first the second is too, and how much more often than by chance (lift). Orders with very many articles, of wholesalers, say little and cost much, and are left out, also from the counts of single articles."
[parameters.first_day]
type = "date"
description = "The first day that counts, in UTC."
default = "0001-01-01"
[parameters.last_day]
type = "date"
description = "The last day that counts."
default = "9999-12-31"
[parameters.least_orders]
type = "integer"
description = "Orders that a pair has to be in."
default = 100
minimum = 1
maximum = 1000000
[parameters.most_articles]
type = "integer"
description = "Articles that an order may have to count."
default = 100
minimum = 2
maximum = 1000
[parameters.top]
type = "integer"
description = "How many pairs at most."
default = 50
minimum = 1
maximum = 10000
*/
WITH bought AS (
  SELECT DISTINCT f.source || '/' || f.order_id AS basket, f.product_key
  FROM fact_order_lines AS f
  JOIN dim_date AS d ON d.date_key = f.date_key
  WHERE f.kind = 'sale' AND f.quantity > 0 AND d.day BETWEEN :first_day AND :last_day
),
sizes AS (
  SELECT basket FROM bought GROUP BY basket HAVING count(*) <= :most_articles
),
counted AS (
  SELECT b.basket, b.product_key FROM bought AS b JOIN sizes AS s ON s.basket = b.basket
),
singles AS (
  SELECT product_key, count(*) AS orders FROM counted GROUP BY product_key HAVING count(*) >= :least_orders
),
frequent AS (
  SELECT c.basket, c.product_key FROM counted AS c JOIN singles AS s ON s.product_key = c.product_key
),
pairs AS (
  SELECT a.product_key AS one, b.product_key AS other, count(*) AS orders
  FROM frequent AS a
  JOIN frequent AS b ON b.basket = a.basket
  WHERE b.product_key > a.product_key
  GROUP BY a.product_key, b.product_key
  HAVING count(*) >= :least_orders
),
directed AS (
  SELECT one, other, orders FROM pairs
  UNION ALL
  SELECT other AS one, one AS other, orders FROM pairs
)
SELECT
  p.stock_code,
  p.description,
  q.stock_code AS with_stock_code,
  q.description AS with_description,
  t.orders AS orders_together,
  x.orders,
  y.orders AS with_orders,
  round(CAST(t.orders AS DOUBLE) / CAST(x.orders AS DOUBLE), 4) AS share,
  round(
    CAST(t.orders AS DOUBLE) * CAST((SELECT count(*) FROM sizes) AS DOUBLE)
    / (CAST(x.orders AS DOUBLE) * CAST(y.orders AS DOUBLE)),
    4
  ) AS lift
FROM directed AS t
JOIN singles AS x ON x.product_key = t.one
JOIN singles AS y ON y.product_key = t.other
JOIN dim_product AS p ON p.product_key = t.one
JOIN dim_product AS q ON q.product_key = t.other
ORDER BY t.orders DESC, p.stock_code, q.stock_code
LIMIT :top
