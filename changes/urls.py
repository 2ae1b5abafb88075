from __future__ import annotations

from django.urls import path

from changes import views

app_name = "changes"
urlpatterns = [
    path("", views.change_list, name="list"),
    path("<int:pk>/", views.change_detail, name="detail"),
    path("<int:pk>/face", views.change_face, name="face"),
    path("<int:pk>/review", views.change_review, name="review"),
    path("<int:pk>/comment", views.change_comment, name="comment"),
    path("<int:pk>/withdraw", views.change_take_back, name="withdraw"),
    path("<int:pk>/review-again", views.change_again, name="review_again"),
    path("operations/<int:pk>/retry", views.operation_again, name="retry"),
]
